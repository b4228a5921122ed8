/** A type that is a `Base` at run time and cannot be confused with another brand by the compiler. */
export type Brand<Base, Name extends string> = Base & { readonly __brand: Name };
