//! The profiles that come with the program: the files of `profiles/`, embedded.

/// File name without ending, and text.
pub(super) const PROFILES: [(&str, &str); 9] = [
    ("backend-engineer", include_str!("../../profiles/backend-engineer.md")),
    ("developer", include_str!("../../profiles/developer.md")),
    ("docs-writer", include_str!("../../profiles/docs-writer.md")),
    ("frontend-engineer", include_str!("../../profiles/frontend-engineer.md")),
    ("planner", include_str!("../../profiles/planner.md")),
    ("qa", include_str!("../../profiles/qa.md")),
    ("reviewer", include_str!("../../profiles/reviewer.md")),
    ("ui-designer", include_str!("../../profiles/ui-designer.md")),
    ("ux-designer", include_str!("../../profiles/ux-designer.md")),
];
