using System.Diagnostics.CodeAnalysis;
using System.Reflection;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>Determines whether the framework may await the return value of a handler.</summary>
internal static class Awaitable
{
    /// <summary>Returns <see langword="true"/> for <c>object</c> too, since the framework awaits a task that is declared as <c>object</c>.</summary>
    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "No code calls a GetAwaiter that was trimmed away.")]
    public static bool Is(Type type) =>
        type == typeof(object)
        || typeof(Task).IsAssignableFrom(type)
        || type == typeof(ValueTask)
        || (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ValueTask<>))
        || type.FullName?.StartsWith("Microsoft.FSharp.Control.", StringComparison.Ordinal) == true
        || type.GetMethod("GetAwaiter", BindingFlags.Public | BindingFlags.Instance, []) is not null;
}
