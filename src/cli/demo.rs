//! stub
#[derive(Debug, clap::Args)]
pub(super) struct Demo {}
impl Demo {
    pub(super) async fn run(self, _: &mut super::output::Output) -> Result<u8, crate::node::api::Failure> {
        Ok(0)
    }
}
