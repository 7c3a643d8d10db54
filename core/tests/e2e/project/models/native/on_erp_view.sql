select category, n from {{ ref('on_erp') }}
