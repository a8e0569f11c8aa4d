using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Infrastructure;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// Results that do their work as they are written, and for as long as they like: asynchronous sequences, streams, events, files, views, and
/// results of the app's own.
/// </summary>
/// <remarks>Without reflection for the framework's own results. A sequence inside of a value is not found: it counts as a short answer.</remarks>
internal static class StreamedResult
{
    private static readonly ConcurrentDictionary<Type, bool> Known = new();

    public static bool Is(object? result) => result switch
    {
        null or string => false,
        INestedHttpResult nested => Is(nested.Result),
        IValueHttpResult value => IsAsyncSequence(value.Value),
        IResult http => !IsShort(http),
        ObjectResult value => IsAsyncSequence(value.Value),
        JsonResult value => IsAsyncSequence(value.Value),
        IActionResult action => WrappedHttpResult.Of(action) is { } wrapped ? Is(wrapped) : !IsShort(action),
        IConvertToActionResult convertible => Is(convertible.Convert()),
        _ => IsAsyncSequence(result),
    };

    private static bool IsShort(IResult result) => result is
        BufferedResult or HeldAnswer or Rejection
        or ContentHttpResult or Utf8ContentHttpResult or FileContentHttpResult or EmptyHttpResult or StatusCodeHttpResult
        or Ok or Created or CreatedAtRoute or Accepted or AcceptedAtRoute or NoContent
        or BadRequest or NotFound or Conflict or UnprocessableEntity or InternalServerError
        or RedirectHttpResult or RedirectToRouteHttpResult
        or UnauthorizedHttpResult or ForbidHttpResult or ChallengeHttpResult or SignInHttpResult or SignOutHttpResult;

    private static bool IsShort(IActionResult result) => result is
        ContentResult or FileContentResult or EmptyResult or StatusCodeResult
        or RedirectResult or LocalRedirectResult or RedirectToActionResult or RedirectToRouteResult or RedirectToPageResult
        or ForbidResult or ChallengeResult or SignInResult or SignOutResult;

    /// <summary>Whether what a handler returns is an asynchronous sequence, by its declared type.</summary>
    public static bool IsSequence(Type type) =>
        IsSequenceItself(type) || GenericInterface.Find(type, typeof(IAsyncEnumerable<>)) is not null
        || (type.IsGenericType && (typeof(Task).IsAssignableFrom(type) || type.GetGenericTypeDefinition() == typeof(ValueTask<>))
            && IsSequence(type.GetGenericArguments()[0]));

    private static bool IsSequenceItself(Type type) => type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IAsyncEnumerable<>);

    private static bool IsAsyncSequence(object? value) => value switch
    {
        null or string => false,
        IAsyncEnumerable<object> => true,
        // Of value types:
        _ => Known.GetOrAdd(value.GetType(), static type => GenericInterface.Find(type, typeof(IAsyncEnumerable<>)) is not null),
    };
}
