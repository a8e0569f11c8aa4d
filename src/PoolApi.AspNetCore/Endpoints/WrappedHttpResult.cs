using System.Reflection;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>Unwraps an <see cref="IResult"/> that an action returned and that MVC has wrapped in a type that is not public.</summary>
internal static class WrappedHttpResult
{
    private static readonly PropertyInfo? Property =
        Type.GetType("Microsoft.AspNetCore.Mvc.HttpActionResult, Microsoft.AspNetCore.Mvc.Core")?.GetProperty("Result");

    /// <returns>The result of a minimal API; <see langword="null"/> if this is a result of MVC.</returns>
    public static IResult? Of(IActionResult result) =>
        result.GetType() == Property?.DeclaringType ? (IResult?)Property.GetValue(result) : null;
}
