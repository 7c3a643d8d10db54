select status, count(*) as n, sum(amount) as amount from {{ source('shop', 'orders') }} group by status
