//! Arguments of events and acks: Rust values to JSON text with attachments, and back.
//!
//! A tuple is several arguments, `()` is none, anything else is one. Bytes ([`Binary`], or whatever
//! serializes as bytes) leave the JSON as attachments, wherever they stand in it.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Write};
use std::ops::Deref;

use bytes::Bytes;
use erlen_socketio::{Args as Decoded, encode_placeholder, encode_string, placeholder_index};
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::ser::{self, Impossible};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::ser::Formatter;

/// Bytes that travel as an attachment.
///
/// ```
/// use erlen::Binary;
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Upload {
///     name: String,
///     content: Binary,
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Binary(pub Bytes);

impl Deref for Binary {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<T: Into<Bytes>> From<T> for Binary {
    fn from(bytes: T) -> Self {
        Self(bytes.into())
    }
}

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

thread_local! {
    /// The attachments of the packet that is being deserialized on this thread.
    static ATTACHMENTS: RefCell<Vec<Bytes>> = const { RefCell::new(Vec::new()) };
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Placeholder;
        impl<'de> Visitor<'de> for Placeholder {
            type Value = Binary;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("binary data")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Binary, M::Error> {
                let (mut placeholder, mut num) = (false, None);
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "_placeholder" => placeholder = map.next_value()?,
                        "num" => num = Some(map.next_value::<usize>()?),
                        _ => drop(map.next_value::<serde::de::IgnoredAny>()?),
                    }
                }
                let index = num.filter(|_| placeholder);
                let bytes = index.and_then(|i| ATTACHMENTS.with_borrow(|all| all.get(i).cloned()));
                bytes.map(Binary).ok_or_else(|| M::Error::custom("not the placeholder of an attachment"))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Binary, E> {
                Ok(Binary(Bytes::copy_from_slice(bytes)))
            }
        }
        deserializer.deserialize_any(Placeholder)
    }
}

/// What can be sent as the arguments of an event or ack: whatever serializes, and [`RawArgs`] as they came.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent as arguments",
    label = "not serializable",
    note = "derive `serde::Serialize` for it"
)]
pub trait IntoArgs {
    /// Appends the arguments to the text of an array that is not closed yet; bytes leave it as attachments.
    ///
    /// # Errors
    /// What cannot be serialized.
    fn append(&self, json: &mut Vec<u8>, attachments: &mut Vec<Bytes>) -> Result<(), serde_json::Error>;
}

impl<T: Serialize> IntoArgs for T {
    fn append(&self, json: &mut Vec<u8>, attachments: &mut Vec<Bytes>) -> Result<(), serde_json::Error> {
        let first = json.last() == Some(&b'[');
        let start = json.len();
        let shape = match self.serialize(Probe(json)) {
            Ok(()) => return Ok(()),
            Err(shape) => shape,
        };
        json.truncate(start);
        match shape {
            Shape::Unit => return Ok(()),
            Shape::One if !first => json.push(b','),
            Shape::Tuple if first => drop(json.pop()),
            Shape::One | Shape::Tuple => {}
        }
        let start = json.len();
        self.serialize(&mut serde_json::Serializer::with_formatter(&mut *json, Attach(attachments)))?;
        if shape == Shape::Tuple {
            // The tuple's own brackets: the first is the array's, or gives way to a comma.
            json.pop();
            match (first, json.len() - start) {
                (true, _) => {}
                (false, 1) => json.truncate(start),
                (false, _) => json[start] = b',',
            }
        }
        Ok(())
    }
}

impl IntoArgs for RawArgs {
    fn append(&self, json: &mut Vec<u8>, attachments: &mut Vec<Bytes>) -> Result<(), serde_json::Error> {
        let text = self.inner.tail(self.skip);
        if !text.is_empty() && json.last() != Some(&b'[') {
            json.push(b',');
        }
        // The array's end follows, and should not move a long text once more.
        json.reserve(text.len() + 1);
        json.extend_from_slice(text.as_bytes());
        attachments.extend_from_slice(self.attachments());
        Ok(())
    }
}

impl IntoArgs for &RawArgs {
    fn append(&self, json: &mut Vec<u8>, attachments: &mut Vec<Bytes>) -> Result<(), serde_json::Error> {
        (*self).append(json, attachments)
    }
}

/// Arguments on their way out: the text of an array, and what left it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Encoded {
    pub(crate) json: Vec<u8>,
    pub(crate) attachments: Vec<Bytes>,
}

impl Encoded {
    /// The array of an ack.
    pub(crate) fn new(value: &impl IntoArgs) -> Result<Self, serde_json::Error> {
        let mut encoded = Self { json: Vec::with_capacity(128), attachments: Vec::new() };
        encoded.json.push(b'[');
        value.append(&mut encoded.json, &mut encoded.attachments)?;
        encoded.json.push(b']');
        Ok(encoded)
    }
}

/// Deserializes with the attachments of `args` at hand.
fn with_attachments<T>(attachments: &[Bytes], read: impl FnOnce() -> T) -> T {
    if attachments.is_empty() {
        return read();
    }
    let outer = ATTACHMENTS.replace(attachments.to_vec());
    let value = read();
    ATTACHMENTS.set(outer);
    value
}

/// Received arguments, unparsed: JSON texts and attachments. Cheap until something is read.
#[derive(Clone, Debug)]
pub struct RawArgs {
    inner: Decoded<'static>,
    /// Elements before the first argument: the event's name.
    skip: usize,
}

impl RawArgs {
    pub(crate) fn event(inner: Decoded<'static>) -> Self {
        Self { inner, skip: 1 }
    }

    pub(crate) fn ack(inner: Decoded<'static>) -> Self {
        Self { inner, skip: 0 }
    }

    pub(crate) fn event_name(&self) -> std::borrow::Cow<'_, str> {
        self.inner.event_name()
    }

    /// The JSON text of each argument, in order. Attachments stand as `{"_placeholder":true,"num":n}`.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.inner.iter().skip(self.skip)
    }

    /// How many arguments there are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is no argument.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The attachments, in the order of their numbers.
    pub fn attachments(&self) -> &[Bytes] {
        self.inner.attachments()
    }

    /// The JSON text of the whole array; of an event with its name in front.
    pub fn json(&self) -> &str {
        self.inner.json()
    }

    /// Reads one argument; a missing one is read as `null`.
    ///
    /// # Errors
    /// When it is not a `T`.
    pub fn get<T: DeserializeOwned>(&self, index: usize) -> Result<T, serde_json::Error> {
        let mut text = self.inner.tail(self.skip + index);
        if text.is_empty() {
            text = "null";
        }
        // What stands behind the argument is not looked at, neither here nor for its end: the text is valid.
        with_attachments(self.attachments(), || T::deserialize(&mut serde_json::Deserializer::from_str(text)))
    }

    /// Reads all arguments as one value: a tuple of as many, or a `Vec`.
    ///
    /// # Errors
    /// When they are not a `T`.
    pub fn all<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        let text = self.array();
        with_attachments(self.attachments(), || serde_json::from_str(&text))
    }

    /// The JSON text of the array of the arguments, without an event's name.
    pub fn array(&self) -> std::borrow::Cow<'_, str> {
        match self.skip {
            0 => self.inner.json().into(),
            skip => format!("[{}]", self.inner.tail(skip)).into(),
        }
    }

    /// The first argument as bytes, if it is an attachment.
    pub fn binary(&self) -> Option<Bytes> {
        let index = placeholder_index(self.iter().next()?)?;
        self.attachments().get(index).cloned()
    }
}

/// JSON without spaces, in which bytes become placeholders.
struct Attach<'a>(&'a mut Vec<Bytes>);

impl Formatter for Attach<'_> {
    fn write_byte_array<W: ?Sized + Write>(&mut self, writer: &mut W, value: &[u8]) -> io::Result<()> {
        let mut placeholder = Vec::with_capacity(32);
        encode_placeholder(&mut placeholder, self.0.len());
        self.0.push(Bytes::copy_from_slice(value));
        writer.write_all(&placeholder)
    }
}

/// How a value spreads over arguments. Found by asking it to serialize itself, and stopping at its first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Unit,
    Tuple,
    One,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Shape {}

impl ser::Error for Shape {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::One
    }
}

/// A serializer that answers with the shape instead of serializing. A text, the most usual of all, it appends at once.
struct Probe<'a>(&'a mut Vec<u8>);

type Never = Impossible<(), Shape>;

macro_rules! one {
    ($($method:ident($($argument:ty),*))*) => {
        $(fn $method(self, $(_: $argument),*) -> Result<(), Shape> {
            Err(Shape::One)
        })*
    };
}

impl Serializer for Probe<'_> {
    type Ok = ();
    type Error = Shape;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Never;
    type SerializeStructVariant = Never;

    one! {
        serialize_bool(bool) serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) serialize_f32(f32)
        serialize_f64(f64) serialize_char(char) serialize_bytes(&[u8]) serialize_none()
        serialize_unit_struct(&'static str) serialize_unit_variant(&'static str, u32, &'static str)
    }

    fn serialize_str(self, text: &str) -> Result<(), Shape> {
        let json = self.0;
        if json.last() != Some(&b'[') {
            json.push(b',');
        }
        // As raw arguments, with room for the array's end.
        json.reserve(text.len() + 3);
        encode_string(json, text);
        Ok(())
    }

    fn serialize_unit(self) -> Result<(), Shape> {
        Err(Shape::Unit)
    }

    fn serialize_tuple(self, _: usize) -> Result<Never, Shape> {
        Err(Shape::Tuple)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), Shape> {
        Err(Shape::One)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, _: &T) -> Result<(), Shape> {
        Err(Shape::One)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Shape> {
        Err(Shape::One)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Never, Shape> {
        Err(Shape::One)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Never, Shape> {
        Err(Shape::One)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Never, Shape> {
        Err(Shape::One)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Never, Shape> {
        Err(Shape::One)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Never, Shape> {
        Err(Shape::One)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Never, Shape> {
        Err(Shape::One)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn encoded(value: impl Serialize) -> (String, usize) {
        let encoded = Encoded::new(&value).unwrap();
        let text = String::from_utf8(encoded.json).unwrap();
        let mut event = b"[\"e\"".to_vec();
        value.append(&mut event, &mut Vec::new()).unwrap();
        let inside = text[1..text.len() - 1].to_owned();
        let comma = if inside.is_empty() { "" } else { "," };
        assert_eq!(String::from_utf8(event).unwrap(), format!("[\"e\"{comma}{inside}"));
        (inside, encoded.attachments.len())
    }

    #[test]
    fn a_tuple_is_several_arguments_and_unit_is_none() {
        assert_eq!(encoded(()), (String::new(), 0));
        assert_eq!(encoded((1, "2", json!({"3": [true]}))), (r#"1,"2",{"3":[true]}"#.into(), 0));
        assert_eq!(encoded((1,)), ("1".into(), 0));
        assert_eq!(encoded(vec![1, 2]), ("[1,2]".into(), 0));
        assert_eq!(encoded(json!([1, 2])), ("[1,2]".into(), 0));
        assert_eq!(encoded([0_u8; 0]), (String::new(), 0));
        assert_eq!(encoded(None::<u8>), ("null".into(), 0));
        assert_eq!(encoded("é"), ("\"é\"".into(), 0));
    }

    #[test]
    fn a_text_is_written_as_it_would_be_inside_of_another_value() {
        let every: String = (0..0x3000).filter_map(char::from_u32).collect();
        for text in ["", "[", "plain, and longer than a word or two", "\"", "a\\b", "\u{1f600}\u{7f}", &every]
        {
            assert_eq!(encoded(text), (serde_json::to_string(text).unwrap(), 0));
            assert_eq!(encoded((text, text)).0, format!("{0},{0}", encoded(text).0));
        }
    }

    #[test]
    fn a_text_that_its_type_takes_back_is_not_sent() {
        struct Undecided(std::cell::Cell<bool>);
        impl Serialize for Undecided {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if self.0.replace(true) {
                    return serializer.serialize_u8(1);
                }
                serializer.serialize_str("half")?;
                Err(ser::Error::custom("not yet"))
            }
        }
        let encoded = Encoded::new(&Undecided(false.into())).unwrap();
        assert_eq!(encoded.json, b"[1]");
    }

    #[test]
    fn bytes_leave_the_json_wherever_they_stand() {
        #[derive(Serialize)]
        struct Deep {
            list: Vec<Binary>,
            text: &'static str,
        }
        let deep = Deep { list: vec![Binary::from(vec![1]), Binary::from(vec![2])], text: "x" };
        let (json, attachments) = encoded((Binary::from(vec![0]), deep));
        assert_eq!(attachments, 3);
        assert_eq!(
            json,
            r#"{"_placeholder":true,"num":0},{"list":[{"_placeholder":true,"num":1},{"_placeholder":true,"num":2}],"text":"x"}"#
        );
    }

    fn received(text: &str, attachments: &[&[u8]]) -> RawArgs {
        let mut decoder = erlen_socketio::Decoder::new();
        let config = erlen_socketio::DecoderConfig::default();
        let mut packet = decoder.decode_text(&config, std::time::Instant::now(), text).unwrap();
        for data in attachments {
            packet = decoder.decode_binary(&config, data).unwrap();
        }
        match packet.unwrap().into_owned().data {
            erlen_socketio::PacketData::Event { args, .. } => RawArgs::event(args),
            other => panic!("{other:?} is no event"),
        }
    }

    #[test]
    fn arguments_come_back_as_they_were_sent() {
        let args = received(r#"2["ev",1,"two",{"three":3}]"#, &[]);
        assert_eq!(args.len(), 3);
        assert_eq!(args.get::<u8>(0).unwrap(), 1);
        assert_eq!(args.all::<(u8, String, serde_json::Value)>().unwrap().1, "two");
        assert_eq!(args.get::<Option<u8>>(7).unwrap(), None);
        assert!(args.get::<u8>(1).is_err());
        assert_eq!(args.get::<String>(1).unwrap(), "two");
        assert_eq!(args.get::<serde_json::Value>(2).unwrap(), json!({"three": 3}));
        assert_eq!(args.get::<Box<serde_json::value::RawValue>>(0).unwrap().get(), "1");
    }

    #[test]
    fn an_argument_ends_where_its_value_does() {
        let args = received(r#"2["ev" , 12 ,3.5e1,"a,]", [1, [2]] ,true,null , {"b":[]}]"#, &[]);
        let values: Vec<serde_json::Value> = (0..args.len()).map(|index| args.get(index).unwrap()).collect();
        assert_eq!(json!(values), json!([12, 35.0, "a,]", [1, [2]], true, null, {"b": []}]));
        assert_eq!(args.get::<Option<u8>>(args.len()).unwrap(), None);
        assert_eq!(received(r#"2["ev"]"#, &[]).get::<Option<u8>>(0).unwrap(), None);
        assert_eq!(received(r#"2["ev" ]"#, &[]).get::<Option<u8>>(1).unwrap(), None);
    }

    #[test]
    fn attachments_are_found_by_their_placeholders() {
        let text = r#"52-["ev",{"_placeholder":true,"num":1},{"deep":[{"_placeholder":true,"num":0}]}]"#;
        let args = received(text, &[b"zero", b"one"]);
        assert_eq!(args.binary().as_deref(), Some(&b"one"[..]));
        #[derive(Deserialize)]
        struct Deep {
            deep: Vec<Binary>,
        }
        let (first, deep): (Binary, Deep) = args.all().unwrap();
        assert_eq!((&*first, &*deep.deep[0]), (&b"one"[..], &b"zero"[..]));
    }

    #[test]
    fn received_arguments_go_out_again_unparsed() {
        let args = received(r#"2["ev",18446744073709551615,1.50,"\u00e9"]"#, &[]);
        let again = Encoded::new(&args).unwrap();
        assert_eq!(String::from_utf8(again.json).unwrap(), r#"[18446744073709551615,1.50,"\u00e9"]"#);
        let text = r#"52-["ev",{"_placeholder":true,"num":1},{"deep":[{"_placeholder":true,"num":0}]}]"#;
        let again = Encoded::new(&received(text, &[b"zero", b"one"])).unwrap();
        assert_eq!(again.attachments, [Bytes::from("zero"), Bytes::from("one")]);
    }
}
