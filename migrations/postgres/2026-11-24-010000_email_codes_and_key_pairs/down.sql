DROP INDEX codes_key_pair_id;
DELETE FROM codes WHERE purpose <> 'sign-in';
ALTER TABLE codes DROP COLUMN key_pair_id;
DROP TABLE key_pairs;
