using System.Collections;
using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// Results that do their work as they are enumerated: iterators and queries. They are enumerated on the worker, before it is released;
/// otherwise the work would run on the .NET ThreadPool, as the answer is written.
/// </summary>
internal static class LazyResult
{
    private static readonly ConcurrentDictionary<Type, bool> Known = new();

    /// <summary>Whether a handler's result is one, or has one as its value.</summary>
    public static bool IsLazy([NotNullWhen(true)] object? result) => result switch
    {
        null or string => false,
        IValueHttpResult { Value: { } value } => IsSequence(value),
        ObjectResult { Value: { } value } => IsSequence(value),
        IResult or IActionResult => false,
        _ => IsSequence(result),
    };

    /// <summary>Enumerates it, on the worker.</summary>
    /// <returns>A result with the same outcome that has no work left.</returns>
    public static ValueTask<object?> ExecuteAsync(HttpContext context, object result, bool isAction)
    {
        if (!isAction) return BufferedResult.ExecuteAsync(context, result);
        // Formatters and filters of MVC want the value itself.
        if (result is not ObjectResult action) return ValueTask.FromResult<object?>(ToList((IEnumerable)result));
        action.Value = ToList((IEnumerable)action.Value!);
        action.DeclaredType = null;
        return ValueTask.FromResult<object?>(action);
    }

    private static bool IsSequence(object value) =>
        value is IEnumerable and not (string or ICollection) && Known.GetOrAdd(value.GetType(), static type => !IsCollection(type));

    /// <summary>A collection has its elements already.</summary>
    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "Without the interface a collection is buffered in vain, and nothing else changes.")]
    private static bool IsCollection(Type type) => type.GetInterfaces().Any(static i =>
        i.IsGenericType && i.GetGenericTypeDefinition() is { } definition && (definition == typeof(ICollection<>) || definition == typeof(IReadOnlyCollection<>)));

    /// <summary>A list of the sequence's own element type, since formatters go by it.</summary>
    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "MVC only, which needs reflection itself.")]
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "MVC only, which needs dynamic code itself.")]
    private static IList ToList(IEnumerable sequence)
    {
        Type element = sequence.GetType().GetInterfaces()
            .FirstOrDefault(static i => i.IsGenericType && i.GetGenericTypeDefinition() == typeof(IEnumerable<>))?.GetGenericArguments()[0] ?? typeof(object);
        var list = (IList)Activator.CreateInstance(typeof(List<>).MakeGenericType(element))!;
        foreach (object? each in sequence) list.Add(each);
        return list;
    }
}
