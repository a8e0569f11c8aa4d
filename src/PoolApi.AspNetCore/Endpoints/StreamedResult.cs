using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// Detects results that do their work while they are written: asynchronous sequences, streams, events, files, views, and
/// result types of the app.
/// </summary>
/// <remarks>It needs no reflection for the framework's own results. A sequence inside a value is not detected and counts as a short response.</remarks>
internal static class StreamedResult
{
    private static readonly ConcurrentDictionary<Type, bool> IsAsyncSequenceType = new();

    /// <param name="innermost">The handler's result, as <see cref="WrappedResult.Unwrap"/> returns it.</param>
    public static bool Is(object? innermost) => innermost switch
    {
        null or string => false,
        IValueHttpResult value => IsAsyncSequence(value.Value),
        IResult http => !IsShort(http),
        ObjectResult value => IsAsyncSequence(value.Value),
        JsonResult value => IsAsyncSequence(value.Value),
        IActionResult action => !IsShort(action),
        object value => IsAsyncSequence(value),
    };

    /// <summary>Whether a result of a minimal API has its whole content in memory, or none.</summary>
    public static bool IsShort(IResult result) => result is
        BufferedResult or HeldResult or Rejection
        or ContentHttpResult or Utf8ContentHttpResult or FileContentHttpResult or EmptyHttpResult or StatusCodeHttpResult
        or Ok or Created or CreatedAtRoute or Accepted or AcceptedAtRoute or NoContent
        or BadRequest or NotFound or Conflict or UnprocessableEntity or InternalServerError
        or RedirectHttpResult or RedirectToRouteHttpResult
        or UnauthorizedHttpResult or ForbidHttpResult or ChallengeHttpResult or SignInHttpResult or SignOutHttpResult;

    private static bool IsShort(IActionResult result) => result is
        ContentResult or FileContentResult or EmptyResult or StatusCodeResult
        or RedirectResult or LocalRedirectResult or RedirectToActionResult or RedirectToRouteResult or RedirectToPageResult
        or ForbidResult or ChallengeResult or SignInResult or SignOutResult;

    /// <summary>Whether a handler's declared return type is an asynchronous sequence.</summary>
    public static bool IsSequence(Type type) =>
        IsSequenceItself(type) || GenericInterface.Find(type, typeof(IAsyncEnumerable<>)) is not null
        || (type.IsGenericType && (typeof(Task).IsAssignableFrom(type) || type.GetGenericTypeDefinition() == typeof(ValueTask<>))
            && IsSequence(type.GetGenericArguments()[0]));

    private static bool IsSequenceItself(Type type) => type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IAsyncEnumerable<>);

    /// <summary>Whether a value is an asynchronous sequence. A query of Entity Framework is one and a synchronous one too.</summary>
    public static bool IsAsyncSequence(object? value) => value switch
    {
        null or string => false,
        IAsyncEnumerable<object> => true,
        // Sequences of value types:
        _ => IsAsyncSequenceType.GetOrAdd(value.GetType(), static type => GenericInterface.Find(type, typeof(IAsyncEnumerable<>)) is not null),
    };
}
