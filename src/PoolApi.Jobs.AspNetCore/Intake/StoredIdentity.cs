using System.Security.Claims;

namespace PoolApi.Jobs.AspNetCore.Intake;

/// <summary>One identity of a stored request's user. Values that are the framework's defaults are left out.</summary>
/// <param name="Type">The authentication type; <see langword="null"/>: it is not authenticated.</param>
/// <param name="NameType">The type of the claim that is its name.</param>
/// <param name="RoleType">The type of the claims that are its roles.</param>
/// <param name="Claims">Its claims.</param>
internal sealed record StoredIdentity(string? Type, string? NameType, string? RoleType, IReadOnlyList<StoredClaim>? Claims)
{
    /// <summary>Captures a user. Not the token or ticket that it was authenticated with (<see cref="ClaimsIdentity.BootstrapContext"/>): that is a secret.</summary>
    /// <returns><see langword="null"/>: the user is anonymous and has no claims.</returns>
    public static StoredIdentity[]? Of(ClaimsPrincipal user) =>
        user.Identities.Any(static i => i.IsAuthenticated || i.Claims.Any()) ? [.. user.Identities.Select(Of)] : null;

    public static ClaimsPrincipal ToUser(IEnumerable<StoredIdentity> identities) => new(identities.Select(static i => i.ToIdentity()));

    private static StoredIdentity Of(ClaimsIdentity identity) => new(
        identity.AuthenticationType,
        identity.NameClaimType == ClaimsIdentity.DefaultNameClaimType ? null : identity.NameClaimType,
        identity.RoleClaimType == ClaimsIdentity.DefaultRoleClaimType ? null : identity.RoleClaimType,
        [.. identity.Claims.Select(StoredClaim.Of)]);

    private ClaimsIdentity ToIdentity() => new((Claims ?? []).Select(static c => c.ToClaim()), Type, NameType, RoleType);
}

/// <summary>A claim. Values that are the framework's defaults are left out.</summary>
internal sealed record StoredClaim(string Type, string Value, string? ValueType, string? Issuer, string? OriginalIssuer)
{
    public static StoredClaim Of(Claim claim) => new(
        claim.Type,
        claim.Value,
        claim.ValueType == ClaimValueTypes.String ? null : claim.ValueType,
        claim.Issuer == ClaimsIdentity.DefaultIssuer ? null : claim.Issuer,
        claim.OriginalIssuer == claim.Issuer ? null : claim.OriginalIssuer);

    public Claim ToClaim() => new(Type, Value, ValueType, Issuer, OriginalIssuer);
}
