use std::error::Error;

/// An error and everything that caused it, in one line. A cause whose words stand there already is not repeated.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let told = error.to_string();
        if !line.ends_with(&told) {
            line.push_str(": ");
            line.push_str(&told);
        }
        cause = error.source();
    }
    line
}
