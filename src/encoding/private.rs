//! Patient data that cannot print itself.
//!
//! A log line, a panic message or a `{:?}` left behind must never show a patient's name. Whoever needs the
//! value calls [`Private::reveal`], and that word can be searched for.

use std::fmt;

/// A value that belongs to a patient: printing it shows only that something is there.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Private<T>(T);

impl<T> Private<T> {
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// Takes the patient's data out on purpose.
    pub fn reveal(&self) -> &T {
        &self.0
    }

    pub fn into_revealed(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Private<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[patient data]")
    }
}

impl<T, C> minicbor::Encode<C> for Private<T>
where
    T: minicbor::Encode<C>,
{
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        context: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        self.0.encode(e, context)
    }
}

impl<'b, T, C> minicbor::Decode<'b, C> for Private<T>
where
    T: minicbor::Decode<'b, C>,
{
    fn decode(d: &mut minicbor::Decoder<'b>, context: &mut C) -> Result<Self, minicbor::decode::Error> {
        T::decode(d, context).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::Private;

    #[test]
    fn patient_data_does_not_print_itself() {
        let name = Private::new("DOE^JANE".to_string());
        assert_eq!(format!("{name:?} {:?}", Some(&name)), "[patient data] Some([patient data])");
    }
}
