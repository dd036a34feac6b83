/* Sentences of the gateway in German and Polish. One that is not here is shown in English: nothing is lost, and none has
 * to be here. */
export const said = {
  "the meter answers": ["der Zähler antwortet", "licznik odpowiada"],
  "the meter does not answer": ["der Zähler antwortet nicht", "licznik nie odpowiada"],
  "the line is silent": ["die Leitung schweigt", "linia milczy"],
  "heartbeats are not answered": ["Lebenszeichen bleiben unbeantwortet", "sygnały życia pozostają bez odpowiedzi"],
  "the device sleeps": ["das Gerät schläft", "urządzenie śpi"],
  "the port is not open yet": ["der Anschluss ist noch nicht offen", "port nie jest jeszcze otwarty"],
  "the meter restarted": ["der Zähler ist neu gestartet", "licznik uruchomił się ponownie"],
  "the module no longer answers": ["das Modul antwortet nicht mehr", "moduł przestał odpowiadać"],
  "the module hands out zeros in place of readings": ["das Modul liefert Nullen statt Messwerten", "moduł podaje zera zamiast odczytów"],
  "listening for a reading": ["horcht auf einen Messwert", "nasłuchuje odczytu"],
  "asking who is there": ["fragt, wer da ist", "pyta, kto jest po drugiej stronie"],
  "waiting for the first reading": ["wartet auf den ersten Messwert", "czeka na pierwszy odczyt"],
  "the module belongs to no utility network": ["das Modul gehört zu keinem Netz eines Versorgers", "moduł nie należy do sieci dostawcy energii"],
  "the utility's meter does not answer": ["der Zähler des Versorgers antwortet nicht", "licznik dostawcy nie odpowiada"],
  "readings arrive": ["Messwerte kommen an", "odczyty przychodzą"],
  "less than before": ["weniger als zuvor", "mniej niż poprzednio"],
  "more than can have flowed since the last reading": ["mehr, als seit der letzten Ablesung geflossen sein kann", "więcej, niż mogło przepłynąć od ostatniego odczytu"],
};
