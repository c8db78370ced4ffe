-- A lead names all leads that share one of its phone numbers, in place of one.
UPDATE clew.leads
SET document = document || jsonb_build_object('phone_shared_with', jsonb_build_array(document -> 'phone_conflict'))
WHERE jsonb_typeof(document -> 'phone_conflict') = 'string';
