select * from {{ ref('after_fragile') }} where top > 50
