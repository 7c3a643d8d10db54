select c.country, r.region, count(*) as n from {{ source('crm', 'customers') }} c left join {{ ref('regions') }} r on r.country = c.country group by c.country, r.region
