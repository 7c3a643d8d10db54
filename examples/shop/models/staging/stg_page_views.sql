with source as (
    select * from {{ source('web', 'page_views') }}
)

select view_id, customer_id, page
from source
