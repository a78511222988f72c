//! The attribute `#[testpool::test]` of the crate `testpool`, which documents it.

use proc_macro::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{bracketed, parse_macro_input, Error, FnArg, Ident, ItemFn, LitStr, Path, Token};

/// What builds the template.
#[derive(Default)]
struct Arguments {
    migrations: Option<LitStr>,
    sql: Option<LitStr>,
    migrate: Option<Path>,
    files: Vec<LitStr>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let mut arguments = Self::default();
        while !input.is_empty() {
            let name: Ident = input.parse()?;
            input.parse::<Token![=]>()?;
            match name.to_string().as_str() {
                "migrations" => arguments.migrations = Some(input.parse()?),
                "sql" => arguments.sql = Some(input.parse()?),
                "migrate" => arguments.migrate = Some(input.parse()?),
                "files" => {
                    let list;
                    bracketed!(list in input);
                    arguments.files = Punctuated::<LitStr, Token![,]>::parse_terminated(&list)?.into_iter().collect();
                }
                _ => return Err(Error::new(name.span(), "testpool knows migrations, sql, migrate and files")),
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        arguments.checked(input)
    }
}

impl Arguments {
    fn checked(self, input: ParseStream) -> syn::Result<Self> {
        let ways = [self.migrations.is_some(), self.sql.is_some(), self.migrate.is_some()];
        if ways.iter().filter(|is| **is).count() > 1 {
            return Err(input.error("only one of migrations, sql and migrate builds a template"));
        }
        if self.migrate.is_some() == self.files.is_empty() {
            return Err(input.error("files name what migrate reads: the template is built again when they change"));
        }
        Ok(self)
    }

    fn build(&self) -> proc_macro2::TokenStream {
        let files = &self.files;
        match (&self.migrations, &self.sql, &self.migrate) {
            (Some(folder), _, _) => quote!(Migrations(#folder)),
            (_, Some(place), _) => quote!(Sql(#place)),
            (_, _, Some(path)) => quote!(Function {
                name: ::core::concat!(::core::module_path!(), " ", ::core::stringify!(#path)),
                files: &[#(#files),*],
                migrate: |url| #path(url).map_err(|error| ::std::string::ToString::to_string(&error)),
            }),
            _ => quote!(Migrations("migrations")),
        }
    }
}

#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let arguments = parse_macro_input!(arguments as Arguments);
    let function = parse_macro_input!(item as ItemFn);
    let (attributes, body, output) = (&function.attrs, &function.block, &function.sig.output);
    let (name, inputs, is_async) = (&function.sig.ident, &function.sig.inputs, &function.sig.asyncness);
    let build = arguments.build();
    let should_panic = attributes.iter().any(|attribute| attribute.path().is_ident("should_panic"));
    let each = inputs.iter().filter_map(|input| match input {
        FnArg::Typed(argument) => Some(&argument.ty),
        FnArg::Receiver(_) => None,
    });
    let each = each.map(|kind| quote!(<#kind as ::testpool::FromDatabase>::from_database(&database).await?));
    let spec = quote!(::testpool::__private::Spec {
        name: ::core::concat!(::core::module_path!(), "::", ::core::stringify!(#name)),
        project: ::core::env!("CARGO_PKG_NAME"),
        folder: ::core::env!("CARGO_MANIFEST_DIR"),
        build: ::testpool::__private::Build::#build,
        should_panic: #should_panic,
    });
    let arguments = quote!(|database: ::testpool::Database| async move {
        ::core::result::Result::Ok::<_, ::testpool::Error>((#(#each,)*))
    });
    let names: Vec<_> = (0..inputs.len()).map(|i| quote::format_ident!("argument_{i}")).collect();
    let run = if is_async.is_some() { quote!(run_async) } else { quote!(run) };
    quote! {
        #[::core::prelude::v1::test]
        #(#attributes)*
        fn #name() #output {
            #is_async fn inner(#inputs) #output #body
            ::testpool::__private::#run(#spec, #arguments, |(#(#names,)*)| inner(#(#names),*))
        }
    }
    .into()
}
