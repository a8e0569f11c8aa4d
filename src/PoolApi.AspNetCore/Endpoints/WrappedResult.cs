using System.Reflection;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Infrastructure;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// Unwraps results that only stand for another one: a choice (<c>Results&lt;…&gt;</c>), an action's value or result (<c>ActionResult&lt;T&gt;</c>), and the
/// <see cref="IResult"/> of an action, which MVC wraps in a type that is not public.
/// </summary>
internal static class WrappedResult
{
    private static readonly PropertyInfo? OfMvc =
        Type.GetType("Microsoft.AspNetCore.Mvc.HttpActionResult, Microsoft.AspNetCore.Mvc.Core")?.GetProperty("Result");

    /// <returns>The innermost result: the one that is written. It decides whether there are bytes, a stream or a lazy value. Any other object as it is.</returns>
    public static object? Unwrap(object? result)
    {
        while (true)
        {
            switch (result)
            {
                case INestedHttpResult nested:
                    result = nested.Result;
                    break;
                case IResult:
                    return result;
                case IActionResult action:
                    if (HttpResultOf(action) is not { } http) return result;
                    result = http;
                    break;
                case IConvertToActionResult convertible:
                    result = convertible.Convert();
                    break;
                default:
                    return result;
            }
        }
    }

    /// <returns>The result of a minimal API that an action returned; <see langword="null"/> if this is a result of MVC.</returns>
    public static IResult? HttpResultOf(IActionResult result) => result.GetType() == OfMvc?.DeclaringType ? (IResult?)OfMvc.GetValue(result) : null;
}
