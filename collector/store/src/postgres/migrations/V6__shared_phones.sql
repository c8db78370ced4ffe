-- A lead names all leads that share one of its phone numbers, in place of one. `document` is json, because other
-- documents may have U+0000, which jsonb refuses; a lead has none.
UPDATE clew.leads
SET document = (document::jsonb || jsonb_build_object('phone_shared_with', jsonb_build_array(document -> 'phone_conflict')))::json
WHERE json_typeof(document -> 'phone_conflict') = 'string';
