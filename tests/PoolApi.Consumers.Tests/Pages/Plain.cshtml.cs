using Microsoft.AspNetCore.Mvc.RazorPages;

namespace PoolApi.Consumers.Tests.Pages;

internal sealed class PlainModel(Trail trail) : PageModel
{
    public string? Said { get; private set; }

    public void OnGet()
    {
        trail.Add("handler");
        Said = "got";
    }
}
