using System.Collections;
using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Infrastructure;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// Lazy results, which do their work as they are enumerated: iterators and queries. They are enumerated on the worker before it is released;
/// otherwise the work would run on the .NET ThreadPool while the response is written.
/// </summary>
/// <remarks>A value whose type has a form of its own in JSON is not put into a list, which would change the response.</remarks>
internal static class LazyResult
{
    /// <summary>Whether a type of sequence is lazy, which means that it is no collection.</summary>
    private static readonly ConcurrentDictionary<Type, bool> IsLazyType = new();

    /// <summary>Whether attributes give a type a form of its own in JSON.</summary>
    private static readonly ConcurrentDictionary<Type, bool> HasFormByAttribute = new();

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
    /// <returns>A result that does no more work: the same one with its values in a list, or the response in memory. For an action, a value whose type has
    /// its own JSON form is returned unread: the formatter enumerates it off the pool.</returns>
    public static ValueTask<object?> ExecuteAsync(HttpContext context, object result, bool isAction, PoolContext? pool)
    {
        switch (result)
        {
            case IConvertToActionResult convertible:
                return ExecuteAsync(context, convertible.Convert(), isAction, pool);
            // Formatters and filters of MVC need the value itself.
            case ObjectResult { Value: IEnumerable value } action:
                if (HasOwnForm(value, JsonOfMvc(context))) return ValueTask.FromResult<object?>(action);
                action.Value = ToList(value, context.RequestAborted);
                action.DeclaredType = null;
                return ValueTask.FromResult<object?>(action);
            case JsonResult { Value: IEnumerable value } action:
                if (!HasOwnForm(value, action.SerializerSettings as JsonSerializerOptions ?? JsonOfMvc(context)))
                    action.Value = ToList(value, context.RequestAborted);
                return ValueTask.FromResult<object?>(action);
            case IActionResult wrapper:
                return ExecuteAsync(context, WrappedResult.HttpResultOf(wrapper)!, isAction, pool);
            case not IResult when isAction:
                return ValueTask.FromResult<object?>(
                    HasOwnForm(result, JsonOfMvc(context)) ? result : ToList((IEnumerable)result, context.RequestAborted));
            // JSON looks at no token between the elements. It prefers the asynchronous enumerator, which may continue off the pool: a query would run
            // on the .NET ThreadPool.
            case not IResult when CanWriteAny && !HasOwnForm(result, JsonOfHttp(context)):
                return BufferedResult.ExecuteAsync(context, Synchronous((IEnumerable)result, context.RequestAborted), pool);
            default:
                return BufferedResult.ExecuteAsync(context, WithSynchronousValue(context, result) ?? result, pool);
        }
    }

    /// <summary>The same result with a value whose asynchronous enumerator is hidden.</summary>
    /// <returns><see langword="null"/>: the result cannot be created again (<see cref="ResultWithValue"/>), or its value has a form of its own.</returns>
    private static IResult? WithSynchronousValue(HttpContext context, object result) =>
        WrappedResult.Unwrap(result) is IValueHttpResult { Value: IEnumerable value } known && CanWriteAny
        && !HasOwnForm(value, ResultWithValue.JsonOf(known) ?? JsonOfHttp(context))
            ? ResultWithValue.Create(known, Synchronous(value, context.RequestAborted))
            : null;

    /// <summary>
    /// Makes each step of an asynchronous sequence run on the pool, for a result that is executed there: JSON continues after an await on the
    /// .NET ThreadPool, and asks there for the next element. Called on the pool.
    /// </summary>
    /// <returns>The result, with such a sequence in place of its value if it can be made again.</returns>
    public static object? OnPool(HttpContext context, object? result)
    {
        if (!CanWriteAny || SynchronizationContext.Current is not { } pool) return result;
        object? unwrapped = WrappedResult.Unwrap(result);
        object? value = unwrapped is IValueHttpResult { Value: var inner } ? inner : unwrapped;
        if (value is null or IResult || !StreamedResult.IsAsyncSequence(value)) return result;
        if (HasOwnForm(value, ResultWithValue.JsonOf(unwrapped) ?? JsonOfHttp(context))) return result;
        object sequence = OnPool(value, pool);
        return unwrapped is IValueHttpResult known ? ResultWithValue.Create(known, sequence) ?? result : sequence;
    }

    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "Called only where there is dynamic code.")]
    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "Called only where JSON has reflection.")]
    private static object OnPool(object sequence, SynchronizationContext pool)
    {
        Type element = GenericInterface.Find(sequence.GetType(), typeof(IAsyncEnumerable<>))!.GetGenericArguments()[0];
        return Activator.CreateInstance(typeof(PoolSequence<>).MakeGenericType(element), sequence, pool)!;
    }

    /// <summary>Whether JSON can write a sequence of any type. It cannot where only generated code describes types.</summary>
    private static bool CanWriteAny => RuntimeFeature.IsDynamicCodeSupported && JsonSerializer.IsReflectionEnabledByDefault;

    /// <summary>Whether a value has a form of its own in JSON, which a list of its elements would not have.</summary>
    private static bool HasOwnForm(object value, JsonSerializerOptions? json)
    {
        Type type = value.GetType();
        return HasFormByAttribute.GetOrAdd(type, static type => Attribute.GetCustomAttributes(type, inherit: true).Any(static attribute =>
                // By name: this library does not reference the package.
                attribute is JsonAttribute || attribute.GetType().Namespace is "Newtonsoft.Json"))
            || (json is not null && json.Converters.Any(converter => converter.CanConvert(type)));
    }

    private static JsonSerializerOptions? JsonOfMvc(HttpContext context) =>
        context.RequestServices.GetService<IOptions<Microsoft.AspNetCore.Mvc.JsonOptions>>()?.Value.JsonSerializerOptions;

    private static JsonSerializerOptions? JsonOfHttp(HttpContext context) =>
        context.RequestServices.GetService<IOptions<Microsoft.AspNetCore.Http.Json.JsonOptions>>()?.Value.SerializerOptions;

    private static bool IsSequence(object? value) =>
        value is IEnumerable and not (string or ICollection) && IsLazyType.GetOrAdd(value.GetType(), static type => !IsCollection(type));

    /// <summary>Whether a sequence is a collection, and so not lazy. A collection whose interface was trimmed away is buffered needlessly.</summary>
    private static bool IsCollection(Type type) =>
        GenericInterface.Find(type, typeof(ICollection<>)) is not null || GenericInterface.Find(type, typeof(IReadOnlyCollection<>)) is not null;

    /// <summary>The type of the elements; <see langword="null"/> if the sequence has no generic interface.</summary>
    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "Called for MVC, which needs reflection itself, or where JSON has it.")]
    private static Type? ElementOf(IEnumerable sequence) => GenericInterface.Find(sequence.GetType(), typeof(IEnumerable<>))?.GetGenericArguments()[0];

    /// <summary>Creates a list of the sequence's own element type, because formatters use it.</summary>
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "MVC only, which needs dynamic code itself.")]
    private static IList ToList(IEnumerable sequence, CancellationToken cancellationToken)
    {
        Type element = ElementOf(sequence) ?? typeof(object);
        var list = (IList)Activator.CreateInstance(typeof(List<>).MakeGenericType(element))!;
        foreach (object? each in sequence)
        {
            cancellationToken.ThrowIfCancellationRequested();
            list.Add(each);
        }
        return list;
    }

    /// <summary>
    /// Hides the asynchronous enumerator, and ends at the cancellation. A list would have every element in memory before a byte of the response is counted.
    /// </summary>
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "Called only where there is dynamic code.")]
    private static object Synchronous(IEnumerable sequence, CancellationToken cancellationToken)
    {
        return ElementOf(sequence) is not { } element
            ? new SynchronousSequence<object?>(sequence.Cast<object?>(), cancellationToken)
            : Activator.CreateInstance(typeof(SynchronousSequence<>).MakeGenericType(element), sequence, cancellationToken)!;
    }

    private sealed class PoolSequence<T>(IAsyncEnumerable<T> sequence, SynchronizationContext pool) : IAsyncEnumerable<T>
    {
        public async IAsyncEnumerator<T> GetAsyncEnumerator(CancellationToken cancellationToken = default)
        {
            await new Return(pool);
            IAsyncEnumerator<T> source = sequence.GetAsyncEnumerator(cancellationToken);
            try
            {
                while (await source.MoveNextAsync())
                {
                    yield return source.Current;
                    await new Return(pool);
                }
            }
            finally
            {
                await new Return(pool); // JSON may end early, on the .NET ThreadPool
                await source.DisposeAsync();
            }
        }
    }

    /// <summary>Continues on the pool, unless the caller is there.</summary>
    private readonly struct Return(SynchronizationContext pool) : INotifyCompletion
    {
        public bool IsCompleted => ReferenceEquals(SynchronizationContext.Current, pool);

        public Return GetAwaiter() => this;

        public void OnCompleted(Action continuation) => pool.Post(static continuation => ((Action)continuation!)(), continuation);

        public void GetResult()
        {
        }
    }

    private sealed class SynchronousSequence<T>(IEnumerable<T> sequence, CancellationToken cancellationToken) : IEnumerable<T>
    {
        public IEnumerator<T> GetEnumerator()
        {
            foreach (T each in sequence)
            {
                cancellationToken.ThrowIfCancellationRequested();
                yield return each;
            }
        }

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
