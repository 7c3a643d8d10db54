select * from {{ ref('fed_five') }} where orders > 0
