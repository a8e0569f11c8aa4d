using System.Collections;
using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// The headers of a <see cref="HandlerResponse"/>: one object, because code such as the framework's cookies keeps the headers that it has found first. It
/// refers to the headers of the handler, and later to those of the server.
/// </summary>
internal sealed class HandlerHeaders(HandlerResponse response) : IHeaderDictionary
{
    public StringValues this[string key]
    {
        get => response.Headers[key];
        set => response.Headers[key] = value;
    }

    StringValues IDictionary<string, StringValues>.this[string key]
    {
        get => Current[key]; // throws if there is none
        set => Current[key] = value;
    }

    public long? ContentLength
    {
        get => response.Headers.ContentLength;
        set => response.Headers.ContentLength = value;
    }

    private IDictionary<string, StringValues> Current => response.Headers;

    public ICollection<string> Keys => Current.Keys;

    public ICollection<StringValues> Values => Current.Values;

    public int Count => Current.Count;

    public bool IsReadOnly => Current.IsReadOnly;

    public void Add(string key, StringValues value) => Current.Add(key, value);

    public void Add(KeyValuePair<string, StringValues> item) => Current.Add(item);

    public void Clear() => Current.Clear();

    public bool Contains(KeyValuePair<string, StringValues> item) => Current.Contains(item);

    public bool ContainsKey(string key) => Current.ContainsKey(key);

    public void CopyTo(KeyValuePair<string, StringValues>[] array, int arrayIndex) => Current.CopyTo(array, arrayIndex);

    public IEnumerator<KeyValuePair<string, StringValues>> GetEnumerator() => Current.GetEnumerator();

    public bool Remove(string key) => Current.Remove(key);

    public bool Remove(KeyValuePair<string, StringValues> item) => Current.Remove(item);

    public bool TryGetValue(string key, [MaybeNullWhen(false)] out StringValues value) => Current.TryGetValue(key, out value);

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
