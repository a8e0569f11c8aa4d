using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>Creates a result of the framework again, with another value. Called only where JSON has reflection.</summary>
/// <remarks>The framework's results with a value are generic in its type and cannot be changed, so each kind is created anew from its public properties.</remarks>
internal static class ResultWithValue
{
    private static readonly Dictionary<Type, Func<IValueHttpResult, object, IResult?>> Kinds = new()
    {
        [typeof(Ok<>)] = static (_, value) => TypedResults.Ok(value),
        [typeof(Created<>)] = static (known, value) => TypedResults.Created(Get<string>(known, "Location"), value),
        [typeof(CreatedAtRoute<>)] = static (known, value) =>
            TypedResults.CreatedAtRoute(value, Get<string>(known, "RouteName"), Get<RouteValueDictionary>(known, "RouteValues")),
        [typeof(Accepted<>)] = static (known, value) => TypedResults.Accepted(Get<string>(known, "Location"), value),
        [typeof(AcceptedAtRoute<>)] = static (known, value) =>
            TypedResults.AcceptedAtRoute(value, Get<string>(known, "RouteName"), Get<RouteValueDictionary>(known, "RouteValues")),
        [typeof(BadRequest<>)] = static (_, value) => TypedResults.BadRequest(value),
        [typeof(NotFound<>)] = static (_, value) => TypedResults.NotFound(value),
        [typeof(Conflict<>)] = static (_, value) => TypedResults.Conflict(value),
        [typeof(UnprocessableEntity<>)] = static (_, value) => TypedResults.UnprocessableEntity(value),
        [typeof(InternalServerError<>)] = static (_, value) => TypedResults.InternalServerError(value),
        [typeof(JsonHttpResult<>)] = Json,
    };

    /// <summary>Creates the result again.</summary>
    /// <param name="known">The result.</param>
    /// <param name="value">The value in place of its own.</param>
    /// <returns><see langword="null"/>: it is another result, or generated code describes the type of its value.</returns>
    public static IResult? Create(IValueHttpResult known, object value) =>
        KindOf(known) is { } kind && Kinds.TryGetValue(kind, out Func<IValueHttpResult, object, IResult?>? create) ? create(known, value) : null;

    /// <summary>The JSON options that a result itself has; <see langword="null"/>: it has none, so the app's are used.</summary>
    public static JsonSerializerOptions? JsonOf(object? result) => result is IValueHttpResult known && KindOf(known) == typeof(JsonHttpResult<>)
        ? Get<JsonSerializerOptions>(known, "JsonSerializerOptions")
        : null;

    private static Type? KindOf(IValueHttpResult result) => result.GetType() is { IsGenericType: true } type ? type.GetGenericTypeDefinition() : null;

    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "Called only where there is dynamic code.")]
    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "Called only where JSON has reflection.")]
    private static JsonHttpResult<object>? Json(IValueHttpResult known, object value) => HasTypeInfo(known) || !CanWrite(JsonOf(known), value)
        ? null
        : TypedResults.Json(value, JsonOf(known), Get<string>(known, "ContentType"), (known as IStatusCodeHttpResult)?.StatusCode);

    /// <summary>Whether JSON options can write a value of another type. They cannot if only generated code describes types to them.</summary>
    private static bool CanWrite(JsonSerializerOptions? options, object value) => options is null || options.TryGetTypeInfo(value.GetType(), out _);

    /// <summary>Whether the result writes its value by a description of the value's type (<c>JsonTypeInfo</c>), which does not fit another type.</summary>
    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "Called only where JSON has reflection.")]
    private static bool HasTypeInfo(IValueHttpResult known) =>
        known.GetType().GetProperty("JsonTypeInfo", BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic) is not { } property
        || property.GetValue(known) is not null;

    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "Called only where JSON has reflection.")]
    private static T? Get<T>(IValueHttpResult known, string property)
        where T : class => known.GetType().GetProperty(property)?.GetValue(known) as T;
}
