select status, n from {{ ref('on_shop') }}
