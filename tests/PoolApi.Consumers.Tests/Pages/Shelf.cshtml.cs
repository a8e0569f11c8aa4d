using Microsoft.AspNetCore.Mvc.RazorPages;
using Shelf = PoolApi.Consumers.Tests.RecipeTests.Shelf;

namespace PoolApi.Consumers.Tests.Pages;

[RunOnPool("io")]
public sealed class ShelfModel(Shelf shelf) : PageModel
{
    public void OnGet() => Books = shelf.Load();

    public IReadOnlyList<string> Books { get; private set; } = [];
}
