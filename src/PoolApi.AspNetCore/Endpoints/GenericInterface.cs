using System.Diagnostics.CodeAnalysis;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>Finds the closed form of a generic interface that a type implements. Slow, so callers cache the result for each type.</summary>
internal static class GenericInterface
{
    /// <param name="type">The type.</param>
    /// <param name="definition">Such as <c>IEnumerable&lt;&gt;</c>.</param>
    /// <returns>Such as <c>IEnumerable&lt;int&gt;</c>; <see langword="null"/> if the type implements none.</returns>
    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "Code that uses a value by an interface keeps that interface.")]
    public static Type? Find(Type type, Type definition) =>
        type.GetInterfaces().FirstOrDefault(i => i.IsGenericType && i.GetGenericTypeDefinition() == definition);
}
