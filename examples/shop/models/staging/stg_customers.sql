with source as (
    select * from {{ source('crm', 'customers') }}
),

renamed as (
    select customer_id, name as customer_name, country, segment, signed_up
    from source
)

select * from renamed
