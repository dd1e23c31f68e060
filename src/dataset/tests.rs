use super::*;
use crate::tensor::DType;

#[test]
fn smoke() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/datasets");
    let spec =
        vec![InputSpec { name: "x".into(), tensor_type: TensorType::new(DType::F32, [2, 3]) }];
    let mut names: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    for path in names {
        match open(&[path.display().to_string()], DataFormat::Auto, &spec) {
            Ok(mut s) => {
                eprintln!("OK {} {:?}", path.display(), s.shards());
                let mut r = Record::for_inputs(&spec).unwrap();
                for i in 0..s.shards()[0].identity.records {
                    match s.read(0, i, &mut r) {
                        Ok(()) => eprintln!("   {:?}", r.inputs[0].as_slice::<f32>()),
                        Err(e) => eprintln!("   {e}"),
                    }
                }
            }
            Err(e) => eprintln!("{e} {:?}", e.hint()),
        }
    }
    let r = open(&[dir.display().to_string()], DataFormat::Auto, &spec).err().unwrap();
    eprintln!("{r}");
}
