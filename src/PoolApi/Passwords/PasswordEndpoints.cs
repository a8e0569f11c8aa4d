using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.Json;
using PoolApi.Documentation;
using PoolApi.Problems;
using PoolApi.Requests;

namespace PoolApi.Passwords;

/// <summary>Password hashes, made and verified. Passwords are never stored and never logged.</summary>
internal static class PasswordEndpoints
{
    public const string Tag = "passwords";
    public const string TagDescription = "Password hashes, made and verified.";

    /// <summary>Adds the JSON types of the bodies.</summary>
    public static void AddPasswords(this IServiceCollection services) =>
        services.Configure<JsonOptions>(static options => options.SerializerOptions.TypeInfoResolverChain.Insert(0, PasswordJson.Default));

    public static void MapPasswords(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapPost("/v1/password-hashes", static (HashPassword request, HttpContext context) =>
            {
                context.Response.Headers.CacheControl = "no-store";
                return TypedResults.Json(new PasswordHash(PasswordHasher.Hash(request.Password)), PasswordJson.Readable.PasswordHash);
            })
            .RefuseInvalid()
            .RunOnPool()
            .WithJsonBody<HashPasswordBody>()
            .Produces<PasswordHash>()
            .WithTags(Tag)
            .WithOperationId("hashPassword")
            .WithSummary("Hashes a password with Argon2id; the response is a PHC string.")
            .WithProblems(CommonProblems.InvalidRequest, ServiceProblems.UnsupportedMedia);

        endpoints.MapPost("/v1/password-verifications", static (VerifyPassword request, HttpContext context) =>
            {
                context.Response.Headers.CacheControl = "no-store";
                bool valid = PasswordHasher.Verify(request.Password, request.Hash);
                return TypedResults.Json(new PasswordVerification(valid), PasswordJson.Readable.PasswordVerification);
            })
            .RefuseInvalid()
            .RunOnPool()
            .WithJsonBody<VerifyPasswordBody>()
            .Produces<PasswordVerification>()
            .WithTags(Tag)
            .WithOperationId("verifyPassword")
            .WithSummary("Checks whether a password belongs to an Argon2id hash. The cost that the hash may ask for is limited.")
            .WithProblems(CommonProblems.InvalidRequest, ServiceProblems.UnsupportedMedia, ServiceProblems.UnprocessableHash);
    }

    internal sealed record HashPassword(string Password, IResult? Refusal) : IValidatedRequest
    {
        public static ValueTask<HashPassword?> BindAsync(HttpContext context)
        {
            var body = JsonBody.Read(context, PasswordJson.Default.HashPasswordBody);
            string password = body.Value?.Password ?? "";
            if (body.Refusal is null) CheckPassword(body.Value?.Password, body);
            return ValueTask.FromResult<HashPassword?>(new HashPassword(password, body.Refusal));
        }
    }

    internal sealed record VerifyPassword(string Password, Argon2Hash Hash, IResult? Refusal) : IValidatedRequest
    {
        public static ValueTask<VerifyPassword?> BindAsync(HttpContext context)
        {
            var body = JsonBody.Read(context, PasswordJson.Default.VerifyPasswordBody);
            Argon2Hash? hash = null;
            IResult? refusal = body.Refusal;
            if (refusal is null)
            {
                CheckPassword(body.Value?.Password, body);
                if (body.Value?.Hash is not { } encoded) body.Fault("hash", "hash is missing; it must be an Argon2id hash as a PHC string.");
                else if (!Argon2Hash.TryParse(encoded, out hash, out string? fault))
                    refusal = Problem.OfField(context, ServiceProblems.UnprocessableHash, "hash", fault);
                // A missing or malformed field takes precedence over an unprocessable hash: that fault is simpler.
                refusal = body.Refusal ?? refusal;
            }
            return ValueTask.FromResult<VerifyPassword?>(new VerifyPassword(body.Value?.Password ?? "", hash!, refusal));
        }
    }

    private static void CheckPassword<T>(string? password, JsonBody<T> body)
        where T : class
    {
        if (password is null) body.Fault("password", "password is missing; it must be a text.");
        else if (!PasswordHasher.IsAcceptable(password, out string? fault)) body.Fault("password", fault!);
    }
}

/// <summary>The body of a request to hash.</summary>
[Description("The body of a request to hash.")]
internal sealed record HashPasswordBody([property: Required] string Password);

/// <summary>The body of a request to verify.</summary>
[Description("The body of a request to verify.")]
internal sealed record VerifyPasswordBody([property: Required] string Password, [property: Required] string Hash);

/// <summary>The response: a hash.</summary>
[Description("The response: a hash.")]
internal sealed record PasswordHash(string Hash);

/// <summary>The response: whether the password belongs to the hash.</summary>
[Description("The response: whether the password belongs to the hash.")]
internal sealed record PasswordVerification(bool Valid);

/// <summary>The types that the password routes read and write.</summary>
[JsonSerializable(typeof(HashPasswordBody))]
[JsonSerializable(typeof(VerifyPasswordBody))]
[JsonSerializable(typeof(PasswordHash))]
[JsonSerializable(typeof(PasswordVerification))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, AllowDuplicateProperties = false)]
internal sealed partial class PasswordJson : JsonSerializerContext
{
    /// <summary>A hash has plus signs, which people copy from the response: it must not have \u002B in their place.</summary>
    public static PasswordJson Readable { get; } = new(ReadableJson.NewOptions());
}
