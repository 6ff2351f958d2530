//! Answers without a model: a question always has the same one, so that a test knows what it has to be.

/// What answers are made of.
const WORDS: [&str; 16] = [
    "messages", "are", "kept", "until", "someone", "has", "said", "that", "they", "were", "handled", "and", "a",
    "worker", "may", "die",
];

/// How many chunks an answer has: 24 to 39.
fn length(seed: u32) -> u32 {
    24 + seed % 16
}

/// The answer to a question, chunk by chunk.
pub fn answer(question: &str) -> Vec<String> {
    // FNV-1a: the same on every machine.
    let seed = question.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let begin = format!("You ask {question:?}: ");
    let word = |at: u32| format!("{} ", WORDS[(seed.rotate_left(at) % 16) as usize]);
    let words = (1..length(seed) - 1).map(word);
    std::iter::once(begin).chain(words).chain(["that is all.".to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_has_one_answer_and_another_question_another() {
        assert_eq!(answer("Why?"), answer("Why?"));
        assert_ne!(answer("Why?")[1..], answer("Who?")[1..]);
        for number in 0..100 {
            let chunks = answer(&number.to_string());
            assert!((24..40).contains(&chunks.len()), "{chunks:?}");
            assert_eq!(chunks.last().map(String::as_str), Some("that is all."));
        }
    }
}
