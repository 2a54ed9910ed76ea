//! Absence: does an error of a JavaScript storage only mean that what was asked for is not there?
//!
//! ```text
//! there is no such file    code ENOENT, or `notFound`; from then on also 'Not opened'
//! it ends before that      code EPARTIALREAD; or, in random-access-memory, 'Could not satisfy length'
//! in words of its own      no code: a view on keys that has no secret key; a remote file that nobody can measure
//! ```
//! All else is a fault: to take it for absence would give up a log that is there. Faults of systems
//! and networks have a code.
//!
//! Source: random-access-file@2.2.1, random-access-memory@3.1.4; random-access-storage@1.4.3 for
//! what is said once opening has failed; hypercore@9.12.0 lib/storage.js.

use std::sync::atomic::{AtomicBool, Ordering};

use super::layout::{File, PerFile};

/// What a storage said when it failed.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// The error's code, if it has one.
    pub code: Option<&'a str>,
    /// It is marked as "not found".
    pub not_found: bool,
    /// The error's message.
    pub message: &'a str,
    /// The storage can tell how long its file is.
    pub can_stat: bool,
}

/// What is known of one feed's storages.
#[derive(Debug, Default)]
pub struct Absence {
    missing: PerFile<AtomicBool>,
    has_secret_key: AtomicBool,
}

impl Absence {
    /// The secret key was read: the log is a writer's, who must not take a fault for an empty file.
    pub fn found_secret_key(&self) {
        self.has_secret_key.store(true, Ordering::Relaxed);
    }

    /// True if this only means that the file is not there, or ends before the range.
    pub fn is_absent(&self, file: File, said: Said<'_>) -> bool {
        if said.not_found || said.code == Some("ENOENT") {
            self.missing.of(file).store(true, Ordering::Relaxed);
            return true;
        }
        match (said.code, said.message) {
            (_, "Not opened") => self.missing.of(file).load(Ordering::Relaxed),
            (Some("EPARTIALREAD"), _) | (_, "Could not satisfy length") => true,
            (Some(_), _) => false,
            (None, _) => self.may_say_so(file, said.can_stat),
        }
    }

    /// Of bitfield and signatures more is read than there may be. Without a way to ask for their
    /// length their end is an error in anybody's words (Q24).
    fn may_say_so(&self, file: File, can_stat: bool) -> bool {
        let is_growing = matches!(file, File::Bitfield | File::Signatures);
        file == File::SecretKey || (is_growing && !can_stat && !self.has_secret_key.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Said<'_> = Said { code: None, not_found: false, message: "", can_stat: true };

    #[test]
    fn only_what_means_absent_is_absent() {
        let absence = Absence::default();
        let said = [
            (Said { code: Some("ENOENT"), ..NOTHING }, true),
            (Said { not_found: true, ..NOTHING }, true),
            (Said { code: Some("EPARTIALREAD"), ..NOTHING }, true),
            (Said { message: "Could not satisfy length", ..NOTHING }, true),
            (Said { code: Some("EIO"), ..NOTHING }, false),
            (Said { code: Some("EACCES"), can_stat: false, ..NOTHING }, false),
            (Said { message: "what is this", ..NOTHING }, false),
        ];
        for (said, expected) in said {
            assert_eq!(absence.is_absent(File::Tree, said), expected, "{said:?}");
        }
    }

    #[test]
    fn not_opened_means_absent_once_there_was_no_such_file() {
        let absence = Absence::default();
        let not_opened = Said { message: "Not opened", ..NOTHING };
        assert!(!absence.is_absent(File::Data, not_opened));
        assert!(absence.is_absent(File::Data, Said { code: Some("ENOENT"), ..NOTHING }));
        assert!(absence.is_absent(File::Data, not_opened) && !absence.is_absent(File::Tree, not_opened));
    }

    #[test]
    fn words_of_its_own_are_believed_of_few_files_and_never_by_a_writer() {
        let absence = Absence::default();
        let unmeasured = Said { can_stat: false, ..NOTHING };
        assert!(absence.is_absent(File::SecretKey, NOTHING));
        assert!(absence.is_absent(File::Bitfield, unmeasured) && absence.is_absent(File::Signatures, unmeasured));
        assert!(!absence.is_absent(File::Bitfield, NOTHING) && !absence.is_absent(File::Tree, unmeasured));
        absence.found_secret_key();
        assert!(!absence.is_absent(File::Bitfield, unmeasured));
    }
}
