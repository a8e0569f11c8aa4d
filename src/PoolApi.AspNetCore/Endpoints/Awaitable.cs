using System.Diagnostics.CodeAnalysis;
using System.Reflection;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>Whether what a handler returns may be awaited by the framework.</summary>
internal static class Awaitable
{
    /// <summary><see langword="true"/> where it is not known: an <c>object</c> may be a task, an interface may be implemented by one.</summary>
    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "A GetAwaiter that was trimmed away is called by nobody.")]
    public static bool Is(Type type) =>
        type == typeof(object)
        || typeof(Task).IsAssignableFrom(type)
        || type == typeof(ValueTask)
        || (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ValueTask<>))
        || type.FullName?.StartsWith("Microsoft.FSharp.Control.", StringComparison.Ordinal) == true
        || type.GetMethod("GetAwaiter", BindingFlags.Public | BindingFlags.Instance, []) is not null;
}
