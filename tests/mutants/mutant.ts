// What a mutant is: one guard of the product, switched off by one replacement in one source file, and the tests that have to
// fail then. Must not know how it is run.

export interface Mutant {
  /** The requirement whose guard it is: the tests below fail in titles that name it. */
  readonly id: string;
  /** What no longer holds, as a clause: "dot segments are forwarded as they came". */
  readonly off: string;
  /** Source file, from the root. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
  /** Test files, from the root. */
  readonly tests: readonly string[];
  /** Its tests start the built programs: they are compiled with the guard switched off. Default false. */
  readonly built?: true;
}

/** A requirement whose guard is nothing that one patch could switch off. */
export interface Unpatchable {
  readonly id: string;
  readonly why: string;
}

/** The same file with the guard switched off. @throws Error when the patch does not apply, or applies twice */
export function patched(mutant: Mutant, source: string): string {
  const at = source.indexOf(mutant.find);
  if (at < 0) throw new Error(`${mutant.id} (${mutant.off}): ${mutant.file} no longer holds ${JSON.stringify(mutant.find)}`);
  if (source.indexOf(mutant.find, at + 1) >= 0)
    throw new Error(`${mutant.id} (${mutant.off}): ${JSON.stringify(mutant.find)} stands in ${mutant.file} more than once`);
  return source.slice(0, at) + mutant.replace + source.slice(at + mutant.find.length);
}
