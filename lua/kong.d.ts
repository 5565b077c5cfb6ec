/** What of Kong's sandbox for streamed plugins the handler uses: its PDK, OpenResty, and the modules it may require. */

/** A Lua function that gives an error instead of a value. */
type Failing<Value> = LuaMultiReturn<
	[value: Value | undefined, error: string | undefined]
>;

declare const kong: {
	client: {
		get_credential(this: void): Record<string, unknown> | undefined;
		get_consumer(this: void): Record<string, unknown> | undefined;
		get_forwarded_ip(this: void): string | undefined;
	};
	ctx: { shared: Record<string, unknown> };
	log: {
		info(this: void, message: string): void;
		warn(this: void, message: string): void;
		err(this: void, message: string): void;
		set_serialize_value(this: void, name: string, value: unknown): void;
	};
	request: {
		get_forwarded_scheme(this: void): string;
		get_forwarded_host(this: void): string;
		get_forwarded_port(this: void): number;
		get_header(this: void, name: string): string | undefined;
		get_method(this: void): string;
		get_query_arg(this: void, name: string): string | true | undefined;
		get_raw_body(this: void, maxFileSize: number): Failing<string>;
	};
	response: {
		exit(
			this: void,
			status: number,
			body: unknown,
			headers: Record<string, string> | undefined,
		): void;
		set_header(this: void, name: string, value: string): void;
	};
	router: {
		get_route(this: void): Record<string, unknown> | undefined;
		get_service(this: void): Record<string, unknown> | undefined;
	};
	service: {
		request: {
			clear_header(this: void, name: string): void;
			set_header(this: void, name: string, value: string): void;
		};
	};
};

declare const ngx: {
	var: Record<string, string | undefined>;
	ctx: Record<string, unknown>;
	encode_base64(this: void, bytes: string): string;
	now(this: void): number;
};

/** Lua's own. */
declare function pcall<Result>(
	this: void,
	action: (this: void) => Result,
): LuaMultiReturn<[isDone: boolean, result: Result]>;

declare namespace string {
	function byte(this: void, text: string, at: number): number;
	function char(this: void, ...bytes: number[]): string;
	function find(
		this: void,
		text: string,
		pattern: string,
		from?: number,
		isPlain?: boolean,
	): number | undefined;
	function format(this: void, format: string, ...values: unknown[]): string;
	function gsub(
		this: void,
		text: string,
		pattern: string,
		by: string | ((this: void, found: string) => string),
	): LuaMultiReturn<[text: string, count: number]>;
	function match(this: void, text: string, pattern: string): string | undefined;
	function upper(this: void, text: string): string;
}

declare module "cjson.safe" {
	export interface Cjson {
		decode(this: void, json: string): Failing<unknown>;
		encode(this: void, value: unknown): Failing<string>;
		decode_array_with_array_mt(this: void, isOn: boolean): void;
		encode_escape_forward_slash(this: void, isOn: boolean): void;
		encode_number_precision(this: void, digits: number): void;
	}
	/** An instance with settings of its own. */
	const create: (this: void) => Cjson;

	export { create as new };
}

declare module "ngx.base64" {
	export function encode_base64url(this: void, bytes: string): string;
	export function decode_base64url(
		this: void,
		text: string,
	): string | undefined;
}

declare module "resty.lrucache" {
	export interface Cache<Key, Value> {
		get(key: Key): Value | undefined;
		set(key: Key, value: Value, seconds?: number): void;
	}
	const create: <Key, Value>(this: void, size: number) => Cache<Key, Value>;

	export { create as new };
}

declare module "resty.sha256" {
	export interface Sha256 {
		update(bytes: string): void;
		final(): string;
	}
	const create: (this: void) => Sha256;

	export { create as new };
}

declare module "kong.tools.uuid" {
	export function uuid(this: void): string;
}

declare module "resty.openssl.hmac" {
	export interface Hmac {
		final(text: string): Failing<string>;
	}
	const create: (this: void, key: string, hash: string) => Failing<Hmac>;

	export { create as new };
}

declare module "resty.openssl.pkey" {
	export interface Options {
		ecdsa_use_raw?: boolean;
		pss_saltlen?: number;
	}
	export interface Pkey {
		sign(
			text: string,
			hash: string | undefined,
			padding: number | undefined,
			options: Options | undefined,
		): Failing<string>;
		verify(
			signature: string,
			text: string,
			hash: string | undefined,
			padding: number | undefined,
			options: Options | undefined,
		): Failing<boolean>;
	}
	const create: (
		this: void,
		key: string,
		options: { format: "JWK" },
	) => Failing<Pkey>;

	export { create as new };
}

declare module "resty.openssl.x509" {
	export interface Name {
		each(): (
			this: void,
		) => LuaMultiReturn<
			[name: string | undefined, entry: { sn: string; blob: string }]
		>;
	}
	export interface AltName {
		each(): (
			this: void,
		) => LuaMultiReturn<[type: string | undefined, value: string]>;
	}
	export interface Certificate {
		get_subject_name(): Failing<Name>;
		get_issuer_name(): Failing<Name>;
		get_serial_number(): Failing<{ to_hex(): string }>;
		get_subject_alt_name(): Failing<AltName>;
		get_not_after(): Failing<number>;
		digest(hash: string): Failing<string>;
		tostring(format: "DER"): Failing<string>;
	}
	const create: (
		this: void,
		pem: string,
		format: "PEM",
	) => Failing<Certificate>;

	export { create as new };
}
