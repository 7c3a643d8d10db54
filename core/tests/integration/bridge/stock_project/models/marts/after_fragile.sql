select max(revenue) as top from {{ ref('fragile') }}
