DROP FUNCTION redeem_code(code_guess, integer, event_candidates);
DROP FUNCTION spend_code(code_guess, integer);
DROP TYPE event_candidates;
DROP TYPE code_guess;
DROP FUNCTION open_session(pending_sign_in, integer, integer);
DROP FUNCTION store_sign_in(pending_sign_in, integer, integer);
DROP TYPE pending_sign_in;
DROP FUNCTION lock_address(text);
