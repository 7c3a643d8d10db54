select count(*) >= 0 as is_there from {{ source('again', 'hook_log') }}
