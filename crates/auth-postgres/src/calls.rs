//! Statements whose arguments are bound one by one: calls of the functions in `migrations/postgres`, and facts that are one
//! statement.

/// Binds values of these SQL types, with commas in between.
macro_rules! bind_all {
    ($out:expr, $first_type:ty: $first:expr, $($type:ty: $value:expr),+ $(,)?) => {
        $out.push_bind_param::<$first_type, _>($first)?;
        $(
            $out.push_sql(", ");
            $out.push_bind_param::<$type, _>($value)?;
        )+
    };
}

pub(crate) use bind_all;
