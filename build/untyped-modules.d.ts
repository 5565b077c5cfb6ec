declare module "luamin" {
	/** Renames local variables and leaves out white space. */
	export function minify(lua: string): string;
}
