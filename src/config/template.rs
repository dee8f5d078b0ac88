//! The commented `fleet.toml` that `fleet init` writes: everything in it is optional, and every line of it is right.

/// Its text.
pub(crate) const TEMPLATE: &str = include_str!("template.toml");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Request, resolve};

    fn resolves(text: &str) {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("fleet.toml"), text).expect("a file");
        let request = Request { cwd: folder.path().to_owned(), ..Request::default() };
        let config = resolve(&request).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(config.warnings, [], "{text}");
    }

    #[test]
    fn the_template_is_valid_as_it_is() {
        resolves(TEMPLATE);
    }

    #[test]
    fn the_template_is_valid_with_every_setting_taken_in() {
        let taken_in: String = TEMPLATE
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(setting) if setting.contains(" = ") || setting.starts_with('[') => format!("{setting}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        assert!(taken_in.contains("\n[engines.my-agent]\n"), "{taken_in}");
        resolves(&taken_in);
    }
}
