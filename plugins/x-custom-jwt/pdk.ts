import type {
	Consumer,
	Credential,
	Route,
	Service,
} from "../../core/questions";

/**
 * The few calls of Kong's PDK that the plugin makes. The types `kong-pdk` publishes are wrong in
 * places (tuples where one value arrives, everything an `object`), so these say what was seen on
 * the wire of Kong 3.9.3: an absent result (Lua's `nil`) is `undefined`, and so is a result that
 * Kong replaced by an error. Each call is one round trip to Kong.
 *
 * There is no call here whose result has member names that a client chose, such as all headers: the
 * decoder refuses a member `__proto__`, which ends the stock plugin server.
 */
export interface Kong {
	client: {
		getCredential(): Promise<Credential | undefined>;
		getConsumer(): Promise<Consumer | undefined>;
		/** The client's IP address, by `X-Forwarded-For` where Kong trusts the proxy in front of it. */
		getForwardedIp(): Promise<string | undefined>;
		tls: {
			/** PEM, the client's own certificate first; also when it did not verify. */
			getFullClientCertificateChain(): Promise<string | undefined>;
		};
	};
	ctx: { shared: { get(key: string): Promise<unknown> } };
	log: {
		info(message: string): Promise<void>;
		warn(message: string): Promise<void>;
		err(message: string): Promise<void>;
		/** Adds a member to the entries of Kong's log plugins. */
		setSerializeValue(
			name: string,
			value: string | Record<string, unknown>,
		): Promise<void>;
	};
	nginx: {
		getCtx(key: string): Promise<unknown>;
		getVar(name: string): Promise<string | undefined>;
	};
	request: {
		/** These three are by `X-Forwarded-…` where Kong trusts the proxy in front of it. */
		getForwardedScheme(): Promise<string>;
		getForwardedHost(): Promise<string>;
		getForwardedPort(): Promise<number>;
		getHeader(name: string): Promise<string | undefined>;
		getMethod(): Promise<string>;
		/** The first of that name; `true` when it has no value. */
		getQueryArg(name: string): Promise<string | true | undefined>;
		/** As the client sent it, percent-encoded, without query; a `#fragment` stays (Kong: request.lua). */
		getRawPath(): Promise<string>;
		/**
		 * @param maxSize how many bytes of a body that Kong buffered to disk are read; Kong ends the request
		 * with 500 when it has more (Kong fact)
		 */
		getRawBody(maxSize: number): Promise<Uint8Array | undefined>;
	};
	response: {
		/** Ends the request. No later PDK call of the same event is ever answered. */
		exit(
			status: number,
			body: Record<string, unknown>,
			headers?: Record<string, string>,
		): Promise<void>;
		setHeader(name: string, value: string): Promise<void>;
	};
	router: {
		getRoute(): Promise<Route | undefined>;
		getService(): Promise<Service | undefined>;
	};
	service: {
		request: {
			clearHeader(name: string): Promise<void>;
			setHeader(name: string, value: string): Promise<void>;
		};
	};
}
