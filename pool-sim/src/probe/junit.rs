//! A report in `JUnit`'s XML.

use super::check::Verdict;
use super::report::{Finding, Report};
use std::fmt::{self, Write};

/// The whole file.
pub(super) fn write(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = suites(&mut out, report);
    out
}

fn suites(out: &mut String, report: &Report) -> fmt::Result {
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    let (tests, failures, skipped) =
        (report.findings.len(), report.count("failed"), report.count("skipped") + report.count("unsupported"));
    let seconds = report.took.as_secs_f64();
    writeln!(
        out,
        r#"<testsuites name="{}" tests="{tests}" failures="{failures}" skipped="{skipped}" time="{seconds:.3}">"#,
        escape(&report.url)
    )?;
    for (topic, findings) in report.by_topic() {
        let count = |words: &[&str]| findings.iter().filter(|finding| words.contains(&finding.verdict.word())).count();
        let (tests, failures, skipped) = (findings.len(), count(&["failed"]), count(&["skipped", "unsupported"]));
        writeln!(
            out,
            r#"  <testsuite name="{}" tests="{tests}" failures="{failures}" skipped="{skipped}">"#,
            escape(topic.title)
        )?;
        findings.iter().try_for_each(|finding| case(out, finding))?;
        writeln!(out, "  </testsuite>")?;
    }
    writeln!(out, "</testsuites>")
}

fn case(out: &mut String, finding: &Finding) -> fmt::Result {
    let (name, title, seconds) = (finding.check.id, escape(finding.check.title), finding.took.as_secs_f64());
    writeln!(out, r#"    <testcase classname="{name}" name="{title}" time="{seconds:.3}">"#)?;
    let text = escape(finding.verdict.text());
    match &finding.verdict {
        Verdict::Passed(_) => {}
        Verdict::Failed(_) => {
            let (source, seen) = (escape(finding.check.source), escape(&finding.seen.join("\n")));
            writeln!(out, r#"      <failure message="{text}">rule: {source}"#)?;
            writeln!(out, "{seen}</failure>")?;
        }
        Verdict::Unsupported(_) => writeln!(out, r#"      <skipped message="unsupported: {text}"/>"#)?,
        Verdict::Skipped(_) => writeln!(out, r#"      <skipped message="{text}"/>"#)?,
    }
    writeln!(out, "    </testcase>")
}

/// Text for an element or an attribute in double quotes. What XML 1.0 cannot carry at all becomes a replacement character.
fn escape(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, character| {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push(character),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(character),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_carry_is_replaced() {
        assert_eq!(escape("<a b=\"c\">&\0\u{1b}\n"), "&lt;a b=&quot;c&quot;&gt;&amp;\u{fffd}\u{fffd}\n");
    }
}
