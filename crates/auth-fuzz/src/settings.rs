//! Settings: the file and the environment.

use std::error::Error;

use auth_http::settings::Settings;

/// Settings are taken, or refused in one line that can stand on a terminal. The file and the environment are the two parts of
/// the input, with a zero octet between; a variable is a line of the second.
pub(crate) fn settings(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (file, environment) = text.split_once('\0').unwrap_or((&text, ""));
    let variables = environment.lines().filter_map(|line| line.split_once('='));
    let variables = variables.map(|(name, value)| (format!("AUTH__{name}"), value.to_owned())).collect();
    if let Err(refused) = Settings::parse(file, variables) {
        let told = auth_http::cli::told(&refused as &dyn Error);
        assert!(told.len() > 20 && !told.contains(char::is_control), "{told:?}");
    }
}
