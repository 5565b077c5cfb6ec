package example;

import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.proc.SecurityContext;
import java.net.URI;
import java.time.Duration;
import java.util.Map;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.config.http.SessionCreationPolicy;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.core.DelegatingOAuth2TokenValidator;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtAudienceValidator;
import org.springframework.security.oauth2.jwt.JwtClaimValidator;
import org.springframework.security.oauth2.jwt.JwtDecoder;
import org.springframework.security.oauth2.jwt.JwtIssuerValidator;
import org.springframework.security.oauth2.jwt.JwtTimestampValidator;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;
import org.springframework.security.oauth2.server.resource.authentication.JwtAuthenticationConverter;
import org.springframework.security.oauth2.server.resource.web.HeaderBearerTokenResolver;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** Spring Boot behind Kong: answers who calls, when a token of x-custom-jwt verifies, and 401 otherwise. */
@SpringBootApplication
@RestController
public class Backend {
  public static void main(String[] args) {
    SpringApplication.run(Backend.class, args);
  }

  @GetMapping("/**")
  Map<String, String> whoCalls(@AuthenticationPrincipal Jwt caller) {
    return Map.of("client_id", caller.getClaimAsString("client_id"));
  }

  @Bean
  SecurityFilterChain everyRequestNeedsAToken(HttpSecurity http) throws Exception {
    // The tokens have no `sub` unless the plugin's field `subject` is set.
    var byClientId = new JwtAuthenticationConverter();
    byClientId.setPrincipalClaimName("client_id");
    return http
        .authorizeHttpRequests(requests -> requests.anyRequest().authenticated())
        .oauth2ResourceServer(server -> server
            .bearerTokenResolver(new HeaderBearerTokenResolver("X-Custom-Jwt"))
            .jwt(jwt -> jwt.jwtAuthenticationConverter(byClientId)))
        // No cookie says who somebody is, so there is nothing for CSRF to use.
        .csrf(csrf -> csrf.disable())
        .sessionManagement(sessions -> sessions.sessionCreationPolicy(SessionCreationPolicy.STATELESS))
        .build();
  }

  /**
   * @param issuer exactly the plugin's `iss`
   * @param audience exactly its `audience`, or the URL of the Kong Service
   * @param jwksUrl configured here, and never taken from the token: whoever forges a token chooses its `jku`
   * @param cache how long a key is believed that has left the JWK Set
   */
  @Bean
  JwtDecoder decoder(
      @Value("${ISSUER:https://api.example.com/x-custom-jwt}") String issuer,
      @Value("${AUDIENCE:http://orders:8080}") String audience,
      @Value("${JWKS_URL:${ISSUER:https://api.example.com/x-custom-jwt}/jwks}") URI jwksUrl,
      @Value("${JWKS_CACHE_SECONDS:300}s") Duration cache)
      throws Exception {
    var keySet = JWKSourceBuilder.<SecurityContext>create(jwksUrl.toURL())
        .cache(cache.toMillis(), 5000)
        .refreshAheadCache(false)
        // A `kid` that is not in the set fetches it again, but no oftener than twice in this time.
        .rateLimited(cache.toMillis() / 10)
        .build();
    // That of your key alone, never what the token says.
    var decoder = NimbusJwtDecoder.withJwkSource(keySet).jwsAlgorithm(SignatureAlgorithm.ES256).build();
    // Spring's own takes a token that never expires, and one of any audience.
    var timestamps = new JwtTimestampValidator(Duration.ofSeconds(5));
    timestamps.setAllowEmptyExpiryClaim(false);
    decoder.setJwtValidator(new DelegatingOAuth2TokenValidator<>(
        timestamps,
        new JwtIssuerValidator(issuer),
        new JwtAudienceValidator(audience),
        new JwtClaimValidator<>("client_id", clientId -> clientId instanceof String)));
    return decoder;
  }
}
