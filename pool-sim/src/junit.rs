//! Verdicts as XML for `JUnit`'s readers, which is what CI systems read.

use quick_xml::Writer;
use quick_xml::events::BytesText;
use std::io;

/// Cases that belong together.
pub(crate) struct Suite {
    pub(crate) name: String,
    /// How long it took, in seconds.
    pub(crate) seconds: f64,
    pub(crate) cases: Vec<Case>,
}

/// One thing that was checked.
pub(crate) struct Case {
    pub(crate) class: String,
    pub(crate) name: String,
    pub(crate) outcome: Outcome,
}

/// What came of it.
pub(crate) enum Outcome {
    Passed,
    Failed { message: String, text: String },
    Skipped(String),
}

impl Suite {
    fn count(&self, of: impl Fn(&Outcome) -> bool) -> String {
        self.cases.iter().filter(|case| of(&case.outcome)).count().to_string()
    }
}

/// The whole file.
pub(crate) fn write(suites: &[Suite]) -> io::Result<String> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.create_element("testsuites").write_inner_content(|writer| {
        for suite in suites {
            writer
                .create_element("testsuite")
                .with_attribute(("name", printable(&suite.name).as_str()))
                .with_attribute(("tests", suite.cases.len().to_string().as_str()))
                .with_attribute(("failures", suite.count(|outcome| matches!(outcome, Outcome::Failed { .. })).as_str()))
                .with_attribute(("skipped", suite.count(|outcome| matches!(outcome, Outcome::Skipped(_))).as_str()))
                .with_attribute(("time", format!("{:.3}", suite.seconds).as_str()))
                .write_inner_content(|writer| suite.cases.iter().try_for_each(|case| write_case(writer, case)))?;
        }
        Ok(())
    })?;
    let xml = String::from_utf8(writer.into_inner()).map_err(io::Error::other)?;
    Ok(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{xml}\n"))
}

fn write_case(writer: &mut Writer<Vec<u8>>, case: &Case) -> io::Result<()> {
    let element = writer
        .create_element("testcase")
        .with_attribute(("classname", printable(&case.class).as_str()))
        .with_attribute(("name", printable(&case.name).as_str()));
    match &case.outcome {
        Outcome::Passed => element.write_empty()?,
        Outcome::Skipped(message) => element.write_inner_content(|writer| {
            writer.create_element("skipped").with_attribute(("message", printable(message).as_str())).write_empty()?;
            Ok(())
        })?,
        Outcome::Failed { message, text } => element.write_inner_content(|writer| {
            let failure = writer.create_element("failure").with_attribute(("message", printable(message).as_str()));
            failure.write_text_content(BytesText::new(&printable(text)))?;
            Ok(())
        })?,
    };
    Ok(())
}

/// What XML 1.0 cannot carry at all, not even escaped, becomes a replacement character.
fn printable(text: &str) -> String {
    let cannot = |c: char| (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{fffe}' | '\u{ffff}');
    text.chars().map(|c| if cannot(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use quick_xml::Reader;
    use quick_xml::events::Event;

    #[test]
    fn it_is_xml_whatever_was_said() {
        let hostile = "user \"<&>\u{1b}]]>\0\u{ffff}\"\nand more";
        let case = |outcome| Case { class: hostile.to_owned(), name: hostile.to_owned(), outcome };
        let failed = Outcome::Failed { message: hostile.to_owned(), text: hostile.to_owned() };
        let cases = vec![case(Outcome::Passed), case(failed), case(Outcome::Skipped(hostile.to_owned()))];
        let xml = write(&[Suite { name: hostile.to_owned(), seconds: 1.0, cases }]).unwrap();
        let mut reader = Reader::from_str(&xml);
        let mut count = 0;
        loop {
            match reader.read_event().unwrap() {
                Event::Eof => break,
                Event::Start(tag) | Event::Empty(tag) if tag.name().as_ref() == "testcase" => count += 1,
                _ => {}
            }
        }
        assert_eq!(count, 3);
        assert!(xml.contains("tests=\"3\" failures=\"1\" skipped=\"1\" time=\"1.000\""), "{xml}");
        assert!(!xml.contains(['\u{1b}', '\0', '\u{ffff}']), "{xml}");
    }
}
