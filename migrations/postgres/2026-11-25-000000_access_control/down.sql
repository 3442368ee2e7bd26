DROP TABLE events;
DROP INDEX users_roles;
DROP INDEX users_administrators;
DROP INDEX emails_owned_address_key;
ALTER TABLE emails DROP COLUMN vouched;
CREATE UNIQUE INDEX emails_verified_address_key ON emails (address_key) WHERE verified;
