declare module "luamin" {
	/** Renames local variables and leaves out white space. */
	export function minify(lua: string): string;
}
declare module "postject" {
	/** Puts a resource into an executable file, in place. */
	export function inject(
		file: string,
		resource: string,
		data: Buffer,
		options: { sentinelFuse: string },
	): Promise<void>;
}
