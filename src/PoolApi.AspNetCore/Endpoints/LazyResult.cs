using System.Collections;
using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Infrastructure;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// Lazy results, which do their work as they are enumerated: iterators and queries. They are enumerated on the worker before it is released;
/// otherwise the work would run on the .NET ThreadPool while the response is written.
/// </summary>
internal static class LazyResult
{
    private static readonly ConcurrentDictionary<Type, bool> Known = new();

    /// <summary>Whether a handler's result is lazy or has a lazy value.</summary>
    public static bool IsLazy([NotNullWhen(true)] object? result) => WrappedResult.Unwrap(result) switch
    {
        null or string => false,
        IValueHttpResult value => IsSequence(value.Value),
        ObjectResult value => IsSequence(value.Value),
        JsonResult value => IsSequence(value.Value),
        IResult or IActionResult => false,
        object value => IsSequence(value),
    };

    /// <summary>Enumerates the result, on the worker.</summary>
    /// <returns>A result that does no more work: the same one with its values in a list, or the response in memory.</returns>
    public static ValueTask<object?> ExecuteAsync(HttpContext context, object result, bool isAction)
    {
        switch (result)
        {
            case IConvertToActionResult convertible:
                return ExecuteAsync(context, convertible.Convert(), isAction);
            // Formatters and filters of MVC need the value itself.
            case ObjectResult action:
                action.Value = ToList((IEnumerable)action.Value!);
                action.DeclaredType = null;
                return ValueTask.FromResult<object?>(action);
            case JsonResult action:
                action.Value = ToList((IEnumerable)action.Value!);
                return ValueTask.FromResult<object?>(action);
            case IActionResult wrapper:
                return BufferedResult.ExecuteAsync(context, WrappedResult.HttpResultOf(wrapper));
            case not IResult when isAction:
                return ValueTask.FromResult<object?>(ToList((IEnumerable)result));
            // JSON prefers the asynchronous enumerator, which may go on off the pool: a query would run on the .NET ThreadPool.
            case not IResult when CanWriteLists && StreamedResult.IsAsyncSequence(result):
                return BufferedResult.ExecuteAsync(context, ToList((IEnumerable)result, context.RequestAborted));
            default:
                return BufferedResult.ExecuteAsync(context, result);
        }
    }

    /// <summary>Whether JSON can write a list of any type. It cannot where only generated code describes types.</summary>
    private static bool CanWriteLists => RuntimeFeature.IsDynamicCodeSupported && JsonSerializer.IsReflectionEnabledByDefault;

    private static bool IsSequence(object? value) =>
        value is IEnumerable and not (string or ICollection) && Known.GetOrAdd(value.GetType(), static type => !IsCollection(type));

    /// <summary>Whether a sequence is a collection, and so not lazy. A collection whose interface was trimmed away is buffered needlessly.</summary>
    private static bool IsCollection(Type type) =>
        GenericInterface.Find(type, typeof(ICollection<>)) is not null || GenericInterface.Find(type, typeof(IReadOnlyCollection<>)) is not null;

    /// <summary>Creates a list of the sequence's own element type, because formatters use it.</summary>
    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "Called for MVC, which needs reflection itself, or where JSON has it.")]
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "Called for MVC, which needs dynamic code itself, or where there is some.")]
    private static IList ToList(IEnumerable sequence, CancellationToken cancellationToken = default)
    {
        Type element = GenericInterface.Find(sequence.GetType(), typeof(IEnumerable<>))?.GetGenericArguments()[0] ?? typeof(object);
        var list = (IList)Activator.CreateInstance(typeof(List<>).MakeGenericType(element))!;
        foreach (object? each in sequence)
        {
            cancellationToken.ThrowIfCancellationRequested();
            list.Add(each);
        }
        return list;
    }
}
