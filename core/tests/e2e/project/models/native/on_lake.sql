select carrier, count(*)::integer as n from {{ source('lake', 'shipments') }} group by carrier
