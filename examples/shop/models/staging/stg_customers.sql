with source as (
    select * from {{ source('crm', 'customers') }}
),

renamed as (
    select customer_id, name as customer_name, country, segment
    from source
)

select * from renamed
